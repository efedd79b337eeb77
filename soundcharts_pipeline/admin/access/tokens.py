"""The tokens of the internal API, as the environment has them: strong enough, or refused before anything starts."""

from soundcharts_pipeline.config.environment import Environment
from soundcharts_pipeline.config.settings import SettingsError

ADMIN_VARIABLE = "SOUNDCHARTS_ADMIN_TOKEN"
READ_VARIABLE = "SOUNDCHARTS_READ_TOKEN"
HOW_TO_MAKE = "`openssl rand -hex 32`"
# With 20 wrong tokens a minute from an address, 16 letters of a random text last for as long as anybody lives.
LEAST_LENGTH, LEAST_DIFFERENT = 16, 8


def check_tokens(environment: Environment) -> None:
    """Raises one SettingsError that lists the tokens which could be guessed. None at all is no mistake: the internal
    API then refuses every call."""
    admin, read = environment.admin_token, environment.read_token
    mistakes = [
        f"{name}: {weakness}; set it to what {HOW_TO_MAKE} prints"
        for name, token in ((ADMIN_VARIABLE, admin), (READ_VARIABLE, read))
        if token is not None and (weakness := _weakness(token))
    ]
    if admin is not None and admin == read:
        mistakes.append(
            f"{READ_VARIABLE}: it is the value of {ADMIN_VARIABLE}, so that whoever reads could change, too; set it to "
            f"what another {HOW_TO_MAKE} prints, or unset it"
        )
    if mistakes:
        raise SettingsError("\n".join(mistakes))


def _weakness(token: str) -> str:
    """Why it can be guessed; '' for one that cannot. Says nothing of what it holds."""
    if len(token) < LEAST_LENGTH:
        return f"it has fewer than {LEAST_LENGTH} characters and can be guessed"
    if len(set(token)) < LEAST_DIFFERENT:
        return f"it has fewer than {LEAST_DIFFERENT} different characters and can be guessed"
    return ""
