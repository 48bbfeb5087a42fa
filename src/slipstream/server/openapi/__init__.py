"""The OpenAPI document of what is served: made from the records that the code reads and writes."""
