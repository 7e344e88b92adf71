locals {
  topics = toset(concat(
    local.request_topics,
    local.command_topics,
    ["job-ended", local.sweeps_topic, local.outcomes_topic, "dead-letters"],
  ))
}

resource "google_pubsub_topic" "this" {
  for_each = local.topics

  name = each.key

  # Nobody has to subscribe to outcomes; who does so later can begin a week back.
  message_retention_duration = each.key == local.outcomes_topic ? "${7 * 24 * 3600}s" : null

  depends_on = [google_project_service.used]
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = merge([
    for topic, members in var.publishers : { for member in members : "${topic} ${member}" => { topic = topic, member = member } }
  ]...)

  topic  = google_pubsub_topic.this[each.value.topic].id
  role   = "roles/pubsub.publisher"
  member = each.value.member
}
