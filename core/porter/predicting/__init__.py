"""Using a delivered model: answers of one artefact of a run's folder, through the delivered preprocessing."""
