"""The Cerebras Inference API: requests read strictly, answers and errors in its exact shapes."""
