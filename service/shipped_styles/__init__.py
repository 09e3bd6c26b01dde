"""How the shipped styles are made: filters as targets, training, evaluation and export."""
