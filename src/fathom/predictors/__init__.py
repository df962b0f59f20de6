"""How trained models are used: words of a command line in, answers out."""
