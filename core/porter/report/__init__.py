"""What report.html shows beside text: drawings made from the record alone, and text made safe for HTML."""
