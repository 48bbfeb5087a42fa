"""What the founding documents show and promise, and which test runs it.

S0: OpenAI's client with Cerebras. S1: the OpenAI SDK with Cerebras, and a gateway. S2: the
reference of both Cerebras SDKs. A row is an example of code, or something that prose promises.
"""

from typing import Final, Literal, NamedTuple


class Example(NamedTuple):
    """One example, and the tests that run it, as `module::test`."""

    document: Literal["S0", "S1", "S2"]
    what: str
    tests: tuple[str, ...]


_EVERY_WAY: Final = "test_examples::test_example_is_answered_in_every_way"
_EVERY_SDK: Final = "test_examples::test_example_is_answered_by_every_sdk"
_STREAM: Final = "test_examples::test_stream_ends_with_usage_and_times"
_TOOLS: Final = "test_tools::test_tool_loop_of_javascript_ends_with_an_answer"

EXAMPLES: Final = (
    Example("S0", "OpenAI's client with another base URL and key", (_EVERY_WAY,)),
    Example(
        "S0", "system and developer roles are equal", ("test_examples::test_developer_is_system",)
    ),
    Example("S0", "non-standard fields in extra_body of OpenAI's client", (_EVERY_WAY,)),
    Example(
        "S0",
        "non-standard fields as arguments and in extra_body of Cerebras's client",
        (_EVERY_WAY, "test_manners::test_extra_body_is_the_same_as_an_argument"),
    ),
    Example(
        "S1",
        "the three environment values and a request without an SDK",
        ("test_manners::test_request_without_an_sdk",),
    ),
    Example("S1", "system and user, then content and usage, in Python", (_EVERY_SDK,)),
    Example("S1", "streaming through OpenAI's client", (_STREAM,)),
    Example(
        "S1",
        "stream_options include_usage",
        ("test_examples::test_stream_option_for_usage_changes_nothing",),
    ),
    Example(
        "S1",
        "data lines and one [DONE]",
        ("test_manners::test_stream_is_lines_of_data_and_one_done",),
    ),
    Example("S1", "OpenAI's JavaScript client", (_EVERY_WAY,)),
    Example(
        "S1",
        "a list of models to choose from",
        ("test_models::test_models_are_listed_by_every_sdk",),
    ),
    Example(
        "S1",
        "a gateway under one base URL, other models beside it",
        ("test_lenient::test_unknown_fields_are_ignored",),
    ),
    Example("S2", "basic use, Python and TypeScript", (_EVERY_WAY,)),
    Example("S2", "streaming, Python and TypeScript", (_STREAM,)),
    Example("S2", "usage and time_info in the last chunk only", (_STREAM,)),
    Example(
        "S2",
        "cancelling a stream in TypeScript",
        ("test_manners::test_stream_that_is_left_ends_the_answer",),
    ),
    Example("S2", "asynchronous use and streaming, Python", (_EVERY_WAY, _STREAM)),
    Example(
        "S2",
        "a strict tool, offered",
        ("test_tools::test_offered_tools_leave_the_choice_to_the_model",),
    ),
    Example(
        "S2", "handling tool calls, Python", ("test_tools::test_tool_results_go_back_to_the_model",)
    ),
    Example("S2", "handling tool calls, TypeScript", (_TOOLS,)),
    Example(
        "S2",
        "parallel tool calls, on and off",
        ("test_tools::test_parallel_calls_are_made_and_can_be_barred",),
    ),
    Example(
        "S2", "a model that calls nothing", ("test_tools::test_tool_choice_none_calls_nothing",)
    ),
    Example(
        "S2",
        "a schema from Pydantic",
        ("test_structured::test_schema_of_pydantic_shapes_the_answer",),
    ),
    Example("S2", "a raw schema", ("test_structured::test_strict_schema_shapes_the_answer",)),
    Example("S2", "a schema from Zod", ("test_structured::test_schema_of_zod_shapes_the_answer",)),
    Example(
        "S2",
        "json_schema strict and not, json_object",
        (
            "test_structured::test_strict_schema_shapes_the_answer",
            "test_structured::test_loose_formats_are_json",
        ),
    ),
    Example(
        "S2",
        "requirements of strict schemas",
        ("test_structured::test_schema_outside_of_the_subset_is_refused",),
    ),
    Example(
        "S2",
        "tools and response_format do not go together",
        ("test_structured::test_tools_and_format_together_are_refused",),
    ),
    Example(
        "S2", "reasoning parsed", ("test_reasoning::test_reasoning_goes_where_the_format_says",)
    ),
    Example(
        "S2",
        "reasoning formats and the models' defaults",
        (
            "test_reasoning::test_reasoning_goes_where_the_format_says",
            "test_reasoning::test_default_format_is_the_models",
        ),
    ),
    Example(
        "S2",
        "logprobs apart for parsed reasoning",
        ("test_reasoning::test_parsed_reasoning_has_logprobs_of_its_own",),
    ),
    Example(
        "S2", "reasoning_effort", ("test_reasoning::test_effort_is_accepted_as_the_model_has_it",)
    ),
    Example("S2", "disable_reasoning", ("test_reasoning::test_reasoning_can_be_switched_off",)),
    Example(
        "S2",
        "earlier reasoning in later turns, both ways",
        ("test_reasoning::test_reasoning_of_earlier_turns_is_taken",),
    ),
    Example(
        "S2",
        "a predicted output, Python and TypeScript",
        ("test_prediction::test_predicted_tokens_are_counted",),
    ),
    Example(
        "S2",
        "wrong guesses are counted as rejected",
        ("test_prediction::test_wrong_prediction_is_rejected",),
    ),
    Example(
        "S2",
        "what predictions do not go with",
        ("test_prediction::test_prediction_is_refused_beside",),
    ),
    Example(
        "S2", "cached tokens are told", ("test_caching::test_second_request_is_told_cached_blocks",)
    ),
    Example(
        "S2",
        "turns of a conversation with tools",
        ("test_caching::test_conversation_with_tools_is_cached",),
    ),
    Example(
        "S2",
        "errors by status, Python and TypeScript",
        (
            "test_errors::test_error_has_the_documented_class_and_body",
            "test_errors::test_error_has_its_class_in_javascript",
        ),
    ),
    Example(
        "S2",
        "a server that breaks off",
        (
            "test_errors::test_error_in_a_stream_is_raised",
            "test_errors::test_error_in_a_stream_is_thrown_in_javascript",
        ),
    ),
    Example(
        "S2",
        "a server that is not there",
        ("test_errors::test_server_that_is_not_there_is_a_connection_error",),
    ),
    Example(
        "S2",
        "retries, by client and by request",
        (
            "test_errors::test_server_errors_are_retried_as_often_as_asked",
            "test_errors::test_javascript_retries_as_often_as_asked",
        ),
    ),
    Example(
        "S2",
        "too many requests: a class to catch, a time to wait, a retry",
        (
            "test_limits::test_used_up_requests_are_a_rate_limit_error",
            "test_limits::test_sdk_comes_back_when_it_was_told_to",
        ),
    ),
    Example(
        "S2",
        "timeouts, by client and by request",
        (
            "test_errors::test_timeouts_are_the_clients_own",
            "test_errors::test_timeout_in_javascript",
        ),
    ),
    Example(
        "S2",
        "TCP warming, and without",
        ("test_manners::test_warming_is_answered", "test_manners::test_warming_in_javascript"),
    ),
    Example(
        "S2",
        "stop sequences, limits, temperature",
        (
            "test_sampling::test_stop_is_not_returned",
            "test_sampling::test_limits_of_minus_one_are_no_limits",
        ),
    ),
)
