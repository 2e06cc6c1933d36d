"""Every operation of the API, in the order of its documentation."""

from typing import Any, Final

from streamrec.lookup import (
    docs,
    events,
    feature_values,
    features,
    health,
    jobs,
    members,
    popular,
    problems,
    recommendations,
    scores,
    workflows,
)
from streamrec.lookup.operation import FEATURE, JOB_ID, MEMBER_ID, WORKFLOW, Operation

_JOBS, _MEMBERS, _WORKFLOWS, _EVENTS, _OPERATION = "Jobs", "Members", "Workflows", "Events", "Operation"
_FEATURES: Final = "Features"

OPERATIONS: Final = (
    Operation(
        name="recommendations",
        method="GET",
        path="/v1/members/{member_id}/recommendations",
        tag=_MEMBERS,
        summary="Ranked jobs for a member",
        description="The jobs that the member is likely to check next, best first. Never among them: jobs that the member "
        "applied to or dismissed, closed and expired ones; and, unless the installation says otherwise, jobs that the "
        "member has viewed. An unknown member gets what is popular and new, of a region if one is given.\n\n"
        "The list is kept ready and ranked anew when the member acted; `freshness` says how old everything is. When "
        "something is missing, the service still answers, and `degraded` says how the answer falls short. `workflow` chooses "
        "another way to make the list; only lists of the default workflow are kept ready.\n\n"
        "What a person sees is learned from: each answer with `track` (the default) makes one record of what it showed, after "
        "it is given. Send `request_id` back with what the member does, and, if you know it, an `ImpressionSeen` event with the "
        "positions that were really on the screen.",
        handler=recommendations.recommendations,
        path_parameters=(MEMBER_ID,),
        query=recommendations.RecommendationsQuery,
        limits={"limit": "max_limit"},
        answers={200: (recommendations.Recommendations, "A page of the list.")},
        problems=(
            problems.INVALID_CURSOR,
            problems.INVALID_WORKFLOW,
            problems.INVALID_TOKEN,
            problems.NO_TIME_TRAVEL,
            problems.TOPIC_RECREATED,
        ),
    ),
    Operation(
        name="rank",
        method="POST",
        path="/v1/rank",
        tag=_MEMBERS,
        summary="Scores of given jobs for a member",
        description="For applications that choose jobs themselves: the score of each, in the order given. Nothing is left "
        "out, closed jobs are scored, too.",
        handler=scores.rank,
        body=scores.RankRequest,
        limits={"job_ids": "max_rank_jobs"},
        answers={200: (scores.Scores, "A score for each job.")},
        problems=(problems.INVALID_WORKFLOW,),
        body_example={"member_id": "m42", "job_ids": ["j17", "j4"], "track": False},
    ),
    Operation(
        name="member",
        method="GET",
        path="/v1/members/{member_id}",
        tag=_MEMBERS,
        summary="What is kept of a member",
        description="The profile, and what the member did, as the ranking sees it.",
        handler=members.member,
        path_parameters=(MEMBER_ID,),
        answers={200: (members.Member, "The member.")},
        problems=(problems.UNKNOWN_MEMBER, problems.STORE_UNAVAILABLE, problems.UNREADABLE_STATE),
    ),
    Operation(
        name="job",
        method="GET",
        path="/v1/jobs/{job_id}",
        tag=_JOBS,
        summary="What is kept of a job",
        description="The posting, and what members did with it.",
        handler=jobs.job,
        path_parameters=(JOB_ID,),
        answers={200: (jobs.Job, "The job.")},
        problems=(problems.UNKNOWN_JOB, problems.TABLE_LOADING),
    ),
    Operation(
        name="similar",
        method="GET",
        path="/v1/jobs/{job_id}/similar",
        tag=_JOBS,
        summary="Jobs like a job",
        description="First the jobs that members touched along with this one (`covisited`), then those with like titles "
        "(`title`). Only jobs that may be shown now.",
        handler=jobs.similar,
        path_parameters=(JOB_ID,),
        query=jobs.SimilarQuery,
        limits={"limit": "max_limit"},
        answers={200: (jobs.JobList, "Jobs, the most alike first.")},
        problems=(problems.UNKNOWN_JOB, problems.TABLE_LOADING),
    ),
    Operation(
        name="popular",
        method="GET",
        path="/v1/popular",
        tag=_JOBS,
        summary="Popular jobs",
        description="What members view, like, save and apply for most, recent actions counting most. Only jobs that may be "
        "shown now.",
        handler=popular.popular,
        query=popular.PopularQuery,
        limits={"limit": "max_limit"},
        answers={200: (jobs.JobList, "Jobs, the most popular first; empty where nothing was done yet.")},
    ),
    Operation(
        name="workflows",
        method="GET",
        path="/v1/workflows",
        tag=_WORKFLOWS,
        summary="How lists can be made",
        description="Every workflow in every version: where candidates come from, what orders and reorders them, what may be in "
        "the list, limits, time budget, and what answers when something is missing.",
        handler=workflows.workflows,
        answers={200: (workflows.WorkflowList, "All workflows.")},
    ),
    Operation(
        name="workflow",
        method="GET",
        path="/v1/workflows/{name}",
        tag=_WORKFLOWS,
        summary="How one workflow makes lists",
        description="What `workflow=NAME` asks for.",
        handler=workflows.workflow,
        path_parameters=(WORKFLOW,),
        answers={200: (workflows.WorkflowAnswer, "The workflow.")},
        problems=(problems.UNKNOWN_WORKFLOW,),
    ),
    Operation(
        name="features",
        method="GET",
        path="/v1/features",
        tag=_FEATURES,
        summary="Find features",
        description="The catalogue: what each feature means, where it comes from, and who reads it.",
        handler=features.features,
        query=features.FeaturesQuery,
        limits={"limit": "max_limit"},
        answers={200: (features.FeatureList, "A page of features; empty where nothing is like the query.")},
        problems=(problems.INVALID_CURSOR,),
    ),
    Operation(
        name="feature_values",
        method="POST",
        path="/v1/features/values",
        tag=_FEATURES,
        summary="Values of features now",
        description="What the model would read now of members, of jobs, and of members beside jobs. A value that is missing is "
        "null, and `defaults` says what the model reads in its place. One that the entity does not say enough for is null, too, "
        "and `needs` says what to add.",
        handler=feature_values.values,
        body=feature_values.ValuesRequest,
        answers={200: (feature_values.Values, "An entry for each entity.")},
        problems=(
            problems.UNKNOWN_FEATURE,
            problems.UNKNOWN_MEMBER,
            problems.UNKNOWN_JOB,
            problems.STORE_UNAVAILABLE,
            problems.TABLE_LOADING,
            problems.UNREADABLE_STATE,
        ),
        body_example={
            "features": ["save_rate", "title_overlap"],
            "entities": [{"member_id": "m42", "job_id": "j17"}, {"job_id": "j4"}],
        },
    ),
    Operation(
        name="feature",
        method="GET",
        path="/v1/features/{name}",
        tag=_FEATURES,
        summary="What is known of a feature",
        description="Its declaration, what it reads, and who reads it.",
        handler=features.feature,
        path_parameters=(FEATURE,),
        answers={200: (features.FeatureAnswer, "The feature.")},
        problems=(problems.UNKNOWN_FEATURE,),
    ),
    Operation(
        name="feature_lineage",
        method="GET",
        path="/v1/features/{name}/lineage",
        tag=_FEATURES,
        summary="Where a feature comes from, and where it goes",
        description="From topic and field to state, feature, set of a model and workflow, both ways. `name` may be any of these: "
        "`job-views`, `job-postings.title`, `job_check`; `kind:name` where several are called so.",
        handler=features.feature_lineage,
        path_parameters=(FEATURE,),
        answers={200: (features.FeatureLineage, "What it comes from, and what comes from it.")},
        problems=(problems.UNKNOWN_FEATURE,),
    ),
    Operation(
        name="events",
        method="POST",
        path="/v1/events",
        tag=_EVENTS,
        summary="Send events",
        description='One event, or many as `{"events": […]}`. Each names its `type` (or its `topic`) beside its fields, and is '
        "checked by the same rules as on Kafka. The answer comes when Kafka has stored the events, with one result for "
        "each, in order.\n\nSending again is safe when events have an `event_id`: the same id counts once.\n\n`ImpressionSeen` "
        "says which `positions` of the answer `request_id` came before the member's eyes: then the others are no negatives.",
        handler=events.events,
        body=Any,
        body_schema=events.body_schema,
        limits={"events": "max_events"},
        answers={
            200: (events.EventResults, "All were accepted."),
            207: (events.EventResults, "Some were accepted; see each result."),
            422: (events.EventsProblem, "`events-rejected`: none can be used; `invalid-body`: see `errors`."),
            503: (events.EventsProblem, "`kafka-unavailable`: Kafka did not confirm any in time; send them again."),
        },
        problems=(problems.EVENTS_REJECTED, problems.KAFKA_UNAVAILABLE),
        body_example={
            "events": [
                {"type": "JobView", "event_id": "e-1", "member_id": "m42", "job_id": "j17", "surface": "home"},
                {"topic": "job-saves", "event_id": "e-2", "member_id": "m42", "job_id": "j17"},
                {
                    "type": "ImpressionSeen",
                    "event_id": "e-3",
                    "member_id": "m42",
                    "request_id": "0199c0de-0000-7000-8000-000000000000",
                    "positions": [0, 1, 2, 3],
                },
            ]
        },
    ),
    Operation(
        name="live",
        method="GET",
        path="/health/live",
        tag=_OPERATION,
        summary="Whether the process lives",
        description="Restart the process when this does not answer.",
        handler=health.live,
        answers={200: (health.Live, "It lives.")},
    ),
    Operation(
        name="ready",
        method="GET",
        path="/health/ready",
        tag=_OPERATION,
        summary="Whether the process should get requests, and what is missing",
        description="With several worker processes, one of them answers for itself.",
        handler=health.ready,
        answers={
            200: (health.Ready, "It answers, perhaps degraded."),
            503: (health.Ready, "It does not know the jobs."),
        },
    ),
    Operation(
        name="metrics",
        method="GET",
        path="/metrics",
        tag=_OPERATION,
        summary="Series for Prometheus",
        description="Of all worker processes together.",
        handler=health.metrics,
        answers={200: (health.METRICS_TYPE, "All series.")},
    ),
    Operation(
        name="openapi",
        method="GET",
        path="/openapi.json",
        tag=_OPERATION,
        summary="This API for programs",
        description="OpenAPI 3.1.",
        handler=docs.openapi,
        answers={200: ("application/json", "The document.")},
    ),
    Operation(
        name="docs",
        method="GET",
        path="/docs",
        tag=_OPERATION,
        summary="This API for people",
        description="Works offline.",
        handler=docs.page,
        answers={200: (docs.HTML, "The page.")},
    ),
)
