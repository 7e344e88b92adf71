# Push subscriptions of our own: an event trigger of the function would fix the acknowledgement deadline at
# 10 s and the retention at 24 h, and losing its settings with a redeployment would lose messages.
locals {
  # infra/local/topology.py has the same terms; a test compares.
  terms = {
    fact  = { minimum_backoff = "1s", maximum_backoff = "600s", max_delivery_attempts = 100, retention = "${var.message_retention_days * 24 * 3600}s" }
    sweep = { minimum_backoff = "1s", maximum_backoff = "60s", max_delivery_attempts = 5, retention = "600s" }
  }

  pushed_topics = merge(
    { for topic in local.request_topics : topic => { function = "job_requested", terms = local.terms.fact } },
    { for topic in local.command_topics : topic => { function = "job_commanded", terms = local.terms.fact } },
    { "job-ended" = { function = "job_ended", terms = local.terms.fact } },
    { (local.sweeps_topic) = { function = "swept", terms = local.terms.sweep } },
  )
}

resource "google_pubsub_subscription" "push" {
  for_each = local.pushed_topics

  name                       = "${each.key}-push"
  topic                      = google_pubsub_topic.this[each.key].id
  ack_deadline_seconds       = 600
  message_retention_duration = each.value.terms.retention

  push_config {
    # The path tells the function which topic a message was published to.
    push_endpoint = "${google_cloudfunctions2_function.pushed[each.value.function].service_config[0].uri}/${google_pubsub_topic.this[each.key].id}"

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = google_cloudfunctions2_function.pushed[each.value.function].service_config[0].uri
    }
  }

  retry_policy {
    minimum_backoff = each.value.terms.minimum_backoff
    maximum_backoff = each.value.terms.maximum_backoff
  }

  expiration_policy {
    ttl = ""
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.this["dead-letters"].id
    max_delivery_attempts = each.value.terms.max_delivery_attempts
  }

  depends_on = [google_cloud_run_v2_service_iam_member.push, google_pubsub_topic_iam_member.dead_letters]
}

# Without a subscription, what is sent to a dead-letter topic is lost.
resource "google_pubsub_subscription" "dead_letters" {
  name                       = "dead-letters-log"
  topic                      = google_pubsub_topic.this["dead-letters"].id
  ack_deadline_seconds       = 600
  message_retention_duration = "${31 * 24 * 3600}s"

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_topic_iam_member" "dead_letters" {
  topic  = google_pubsub_topic.this["dead-letters"].id
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  for_each = local.pushed_topics

  subscription = google_pubsub_subscription.push[each.key].id
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
