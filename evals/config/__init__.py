"""Reads what people write in YAML and JSON, and says what is wrong with it: file, line, field, expected, fix.

In: a path and a JSON Schema, by name from `evals/schemas` or as it is. Out: an `Authored` document that knows the line of
each field, or a ConfigurationError with every problem at once. What the documents mean is up to their readers. Begin with
`documents`; `plugins` finds what other distributions register; `schema_errors` puts into words what jsonschema finds, `yaml_lines` reads YAML 1.2 with its lines.
"""
