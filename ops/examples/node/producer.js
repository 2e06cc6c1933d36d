// Sends one of each event. Usage: node producer.js [BOOTSTRAP_SERVERS]

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import avro from "avsc";
import { Kafka, Partitioners } from "kafkajs";
import { encoder } from "./singleObject.js";

const SCHEMAS = new URL("../../../avro/", import.meta.url);
const now = Date.now(); // times are milliseconds since the epoch

// Fields that have a default in the schema may be left out. Each event needs an id of its own: one that comes again is
// counted once, so that a producer may send again what was not confirmed.
const EVENTS = [
  ["job-postings", "JobPosting", "job_id",
    { job_id: "job-1", title: "Zeppelin rigger", city: "Köln", skills: ["knots"], salary_min: 40000.5, posted_at: now }],
  ["member-profiles", "MemberProfile", "member_id",
    { member_id: "member-1", headline: "Rigger", desired_titles: ["Zeppelin rigger"], open_to_remote: false, updated_at: now }],
  ["job-views", "JobView", "member_id",
    { event_id: randomUUID(), member_id: "member-2", job_id: "job-1", occurred_at: now, position: 0, surface: "home" }],
  ["job-saves", "JobSave", "member_id",
    { event_id: randomUUID(), member_id: "member-3", job_id: "job-1", occurred_at: now }],
  ["job-likes", "JobLike", "member_id",
    { event_id: randomUUID(), member_id: "member-4", job_id: "job-1", occurred_at: now }],
  ["job-applications", "JobApplication", "member_id",
    { event_id: randomUUID(), member_id: "member-5", job_id: "job-1", occurred_at: now }],
  ["job-dismissals", "JobDismissal", "member_id",
    { event_id: randomUUID(), member_id: "mémbér-6", job_id: "job-1", occurred_at: now, reason: "too high" }],
  ["connections", "Connection", "member_id",
    { event_id: randomUUID(), member_id: "member-7", other_member_id: "member-1", occurred_at: now }],
  ["impressions-seen", "ImpressionSeen", "member_id",
    { event_id: randomUUID(), member_id: "member-8", request_id: "request-1", positions: [0, 1, 2], occurred_at: now }],
];

function message(record, keyField, event) {
  const type = avro.Type.forSchema(JSON.parse(readFileSync(new URL(`${record}.avsc`, SCHEMAS), "utf8")));
  return { key: event[keyField], value: encoder(type)(event) };
}

const [brokers = "127.0.0.1:9092"] = process.argv.slice(2);
const kafka = new Kafka({ clientId: "streamrec-example", brokers: brokers.split(",") });
const producer = kafka.producer({
  createPartitioner: Partitioners.DefaultPartitioner, // murmur2 of the key, as in Java; streamrec relies on it
  allowAutoTopicCreation: false,
});
await producer.connect();
try {
  await producer.sendBatch({
    acks: -1,
    topicMessages: EVENTS.map(([topic, record, keyField, event]) => ({ topic, messages: [message(record, keyField, event)] })),
  });
  console.log(`sent ${EVENTS.length} events to ${brokers}`);
} finally {
  await producer.disconnect();
}
