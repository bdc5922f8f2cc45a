"""The README, report.html and reproduce.sh, made from the record alone."""
