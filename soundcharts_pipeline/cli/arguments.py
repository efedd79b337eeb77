"""What stands in the arguments of a command though nobody typed it: bytes that are no text, the line ends of another
system's script, what a copied text brings along."""

from collections.abc import Sequence

from soundcharts_pipeline.config.settings import BadUse
from soundcharts_pipeline.config.yaml_nodes import brief
from soundcharts_pipeline.wording import unseen_in


def check_arguments(arguments: Sequence[str]) -> None:
    """Raises BadUse for an argument that cannot be meant, and names the character in it that nobody sees."""
    for argument in arguments:
        if not _is_text(argument):
            raise BadUse("an argument is no text in UTF-8; write it anew")
        controls = "".join(letter for letter in argument if not letter.isprintable() and letter < "\xa0")
        # Within a word, scripts and emoji need some of them.
        if unseen := unseen_in(controls) or unseen_in(argument[:1] + argument[-1:]):
            shown = "".join(letter for letter in argument if letter.isprintable())
            script = ", for instance by saving the script with plain line ends" if "\r" in controls else ""
            raise BadUse(f"the argument '{brief(shown)}' holds {unseen}, which nobody sees; write it without{script}")


def _is_text(argument: str) -> bool:
    """Whether its bytes were text: others come as halves of characters, which no file and no database takes."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True
