"""By what chance tokens are chosen, in the requests of chat and of text completions."""

import msgspec

from slipstream.wire.talk.means import Sampling


class SampledBody(msgspec.Struct, kw_only=True):
    """The fields of a request's body that both have."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    seed: int | None = None
    stop: str | list[str] | None = None

    def sampling(
        self, *, logprobs: bool | None = None, top_logprobs: int | None = None
    ) -> Sampling:
        """Return them as what is asked, with what each dialect says of log probabilities."""
        stop = self.stop
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            min_p=self.min_p,
            seed=self.seed,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            repetition_penalty=self.repetition_penalty,
            logit_bias=self.logit_bias or {},
            stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
            logprobs=logprobs,
            top_logprobs=top_logprobs,
        )
