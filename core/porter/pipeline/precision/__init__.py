"""Which precisions are built, the search for an int8 that passes the gate, and the choice among all."""
