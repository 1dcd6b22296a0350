"""How good a model is: figures of its predictions, and the reports that show them."""
