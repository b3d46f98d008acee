"""What the product does: one module per thing a shopper, an operator or a schedule asks for."""
