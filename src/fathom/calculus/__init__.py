"""Functions of a few variables: read, gone down on, looked at; what theory says of them."""
