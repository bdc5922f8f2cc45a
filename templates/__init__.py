"""The Jinja templates of the delivery documents."""
