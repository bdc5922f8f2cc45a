"""Where the accuracy went: libraries that name the cause of a fault. They report, and apply nothing."""
