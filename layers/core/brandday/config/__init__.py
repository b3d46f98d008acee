"""What is declared from outside: the environment of a function and campaign documents."""
