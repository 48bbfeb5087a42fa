"""The embedded model made to reason: its weights behind a chat template that opens a think tag.

Three short examples in the template are enough for it to close the tag and answer, at temperature
0, so that every way to show reasoning can be seen on a real model.
"""

import hashlib
import json
from pathlib import Path

from tests.prepared_model import prepared_directory

NAME = "smollm2-thinks"
_CHANGED = ("model.json", "chat_template.jinja")
_TEMPLATE = """\
{%- set thinks = enable_thinking is not defined or enable_thinking -%}
{%- macro turn(role, text) -%}
<|im_start|>{{ role }}
{{ text }}<|im_end|>
{% endmacro -%}
{%- macro example(question, thought, answer) -%}
{{ turn('user', question) }}
{{- turn('assistant', '<think>\\n' + thought + '\\n</think>\\n\\n' + answer) }}
{%- endmacro -%}
{{- turn('system', 'First think in one short sentence between <think> and </think>, then answer '
    ~ 'in one short sentence.') -}}
{{- example('What colour is the sky?', 'They ask about the sky.', 'The sky is blue.') -}}
{{- example('How many legs has a dog?', 'They ask about dogs.', 'A dog has four legs.') -}}
{{- example('Where do fish live?', 'They ask about fish.', 'Fish live in water.') -}}
{%- for message in messages -%}
{%- if message.reasoning_content -%}
{%- set thought = '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' -%}
{{- turn(message.role, thought + message.content) -}}
{%- else -%}
{{- turn(message.role, message.content) -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
<think>
{% if not thinks %}
</think>

{% endif -%}
{%- endif -%}
"""


def install(models: Path) -> None:
    """Put it into a folder of models; its large files are links to the prepared ones."""
    source, folder = prepared_directory(), models / NAME
    folder.mkdir(parents=True)
    for file in source.iterdir():
        if file.name not in _CHANGED:
            (folder / file.name).symlink_to(file)
    data = _TEMPLATE.encode()
    facts = json.loads((source / "model.json").read_text())
    facts["name"] = NAME
    facts["files"]["chat_template.jinja"] = [len(data), hashlib.sha256(data).hexdigest()]
    (folder / "chat_template.jinja").write_bytes(data)
    (folder / "model.json").write_text(json.dumps(facts))
