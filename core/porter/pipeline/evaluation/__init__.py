"""Images to accuracy: preprocessed in batches, inferred, judged, journalled and scored."""
