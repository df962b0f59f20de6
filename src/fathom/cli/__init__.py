"""The command line: `fathom VERB …`."""
