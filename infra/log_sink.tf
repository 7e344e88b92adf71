# Vertex AI announces no end of a custom job except in its log lines. They are hints: job_ended asks Vertex AI,
# and the sweep finds what no line told.
resource "google_logging_project_sink" "job_ended" {
  for_each = local.vertex_projects

  project                = each.key
  name                   = "pool-queue-job-ended"
  destination            = "pubsub.googleapis.com/${google_pubsub_topic.this["job-ended"].id}"
  unique_writer_identity = true

  filter = <<-EOT
    resource.type="ml_job" AND resource.labels.task_name="service" AND
    (textPayload=~"^Job (completed successfully|failed|cancell?ed)\.?$" OR
     jsonPayload.message=~"^Job (completed successfully|failed|cancell?ed)\.?$")
  EOT
}

resource "google_pubsub_topic_iam_member" "job_ended" {
  for_each = local.vertex_projects

  topic  = google_pubsub_topic.this["job-ended"].id
  role   = "roles/pubsub.publisher"
  member = google_logging_project_sink.job_ended[each.key].writer_identity
}
