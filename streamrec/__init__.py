"""Real-time job recommendations: Kafka streams in, ranked jobs and P(job checked) out.

To read the code in the order in which an event travels:

1. `streamrec.events`: what happens on a job site, as frozen values.
2. `streamrec.codecs`: bytes to event, or the reason why not. `streamrec.topics`: where events come from.
3. `streamrec.features.state`: what is kept of a member and of a job. `streamrec.features.fold`: what a record does to it.
4. `streamrec.agents.members`, `streamrec.agents.jobs`: the owners of that state. `streamrec.agents.base`: what they promise.
   `streamrec.agents.ownership`: who may write what. `streamrec.agents.transport`: what is changed in Faust.
5. `streamrec.stores.base`: fenced transactions. `streamrec.stores.keys`: every key.
6. `streamrec.ranking.examples`: what is learned from an action. `streamrec.models.base`: the contract of a model.
   `streamrec.models.job_check`: the model. `streamrec.agents.trainer`: who trains it.
7. `streamrec.features.language`: what a feature can say. `streamrec.features.library`: the features. `streamrec.features.plan`:
   how they are folded. `streamrec.features.table`: all jobs, as columns. `streamrec.features.reading`: how features are read.
   `streamrec.ranking.candidates`, `streamrec.ranking.workflow`: from a member to a ranked list.
8. `streamrec.stores.serving`, `streamrec.lookup.recommendations`: the answer.
9. `streamrec.building.builder`, `streamrec.building.handover`: the same from a past log.
   `streamrec.stores.generations`: the switch to it.
10. `streamrec.training.evaluate`: how good the answers are. `streamrec.training.offline`: all of the above in memory.
   `streamrec.local.lockstep`: all of it for real, in the same order.
"""
