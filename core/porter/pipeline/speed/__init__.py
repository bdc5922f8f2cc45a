"""How fast artefacts are: timing that can be defended, and the settings that are fastest."""
