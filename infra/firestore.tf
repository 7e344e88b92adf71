locals {
  # Every query of the product uses one single-field index (poolqueue/adapters/queries.py; a test compares).
  indexes = {
    "jobs.inbox"          = { collection = "jobs", field = "inbox", order = "ASCENDING" }
    "jobs.ended_at"       = { collection = "jobs", field = "ended_at", order = "DESCENDING" }
    "resources.region"    = { collection = "resources", field = "region", order = "ASCENDING" }
    "dead_letters.at"     = { collection = "dead_letters", field = "at", order = "DESCENDING" }
    "usage.month"         = { collection = "usage", field = "month", order = "ASCENDING" }
    "settings.applied_at" = { collection = "settings", field = "applied_at", order = "DESCENDING" }
  }

  # Everything else is exempt: an index on every field would double what a write costs in time and storage.
  collections = toset([
    "bells", "commands", "dead_letters", "forecasts", "jobs", "paces", "pauses", "queues", "resources",
    "run_times", "serial_keys", "settings", "templates", "usage",
  ])

  # What ended is deleted some time after the moment that it names (settings: retention).
  expiring = toset(["commands", "dead_letters", "jobs", "templates"])

}

resource "google_firestore_database" "this" {
  name                    = var.database
  location_id             = var.firestore_location
  type                    = "FIRESTORE_NATIVE"
  delete_protection_state = var.deletion_protection ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy         = var.deletion_protection ? "ABANDON" : "DELETE"
  depends_on              = [google_project_service.used]
}

resource "google_firestore_field" "exempt" {
  for_each = local.collections

  database   = google_firestore_database.this.name
  collection = each.key
  field      = "*"

  index_config {}
}

resource "google_firestore_field" "indexed" {
  for_each = local.indexes

  database   = google_firestore_database.this.name
  collection = each.value.collection
  field      = each.value.field

  index_config {
    indexes {
      order       = each.value.order
      query_scope = "COLLECTION"
    }
  }

  depends_on = [google_firestore_field.exempt]
}

resource "google_firestore_field" "expiring" {
  for_each = local.expiring

  database   = google_firestore_database.this.name
  collection = each.key
  field      = "expires_at"

  index_config {}
  ttl_config {}

  depends_on = [google_firestore_field.exempt]
}
