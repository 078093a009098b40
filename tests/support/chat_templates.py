"""Chat templates of the form that the released checkpoints have, with what is odd about it."""

_CHATML = (
    "{% for message in messages %}HEAD<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}IMAGE{% elif part['type'] == 'text' %}"
    "{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SYSTEM = (
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "{% endif %}"
)
_TYPED = "{% for part in message['content'] | selectattr('type', 'equalto', 'KIND') %}"
_IMAGES = _TYPED.replace("KIND", "image") + "{{ '<image>\n' }}{% endfor %}"
_TEXTS = _TYPED.replace("KIND", "text")


def chatml(image: str, head: str = "") -> str:
    """Qwen's form."""
    return _CHATML.replace("IMAGE", image).replace("HEAD", head)


VICUNA = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': ' }}{% endif %}"
    + _IMAGES
    + "{% if message['role'] != 'assistant' %}"
    + _TEXTS
    + "{{ part['text'] + ' ' }}{% endfor %}{% else %}"
    + _TEXTS
    + "{% generation %}{{ part['text'] + ' ' }}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
"""LLaVA-1.5's: the answer ends on a space, and on no token."""

MISTRAL = (
    "{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST] ' }}"
    + _IMAGES
    + _TEXTS
    + "{{ part['text'] }}{% endfor %}{{ ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
    "{{ ' ' + message['content'][0]['text'] + '<\\s>' }}{% endif %}{% endfor %}"
)
r"""LLaVA-NeXT's with Mistral: what ends the answer is no token but the letters `<\s>`."""

ONEVISION = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' }}"
    + _IMAGES.replace("<image>\n", "<image>")
    + "{% if message['role'] != 'assistant' %}"
    + _TEXTS
    + "{{ '\n' + part['text'] }}{% endfor %}{% else %}"
    + _TEXTS
    + "{% generation %}{{ '\n' + part['text'] }}{% endgeneration %}{% endfor %}{% endif %}"
    "{{ '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""LLaVA-OneVision's: a space behind the role in turns, none in the prompt."""

IDEFICS = (
    "BOS{% for message in messages %}{{ message['role'].capitalize() }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% elif part['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)

GEMMA = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{% set role = 'model' %}"
    "{% else %}{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' }}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<start_of_image>' }}{% elif part['type'] == 'text' %}"
    "{{ part['text'] | trim }}{% endif %}{% endfor %}{{ '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)

MOLMO = (
    "{% for message in messages %}{% for part in message['content'] %}{% if part['type'] == 'image' %}<|image|>"
    "{% endif %}{% endfor %}{% endfor %}" + chatml("")
)
"""Molmo2's: images come before all turns."""
