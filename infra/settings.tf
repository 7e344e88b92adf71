# Topics, teams and regions are written once, in the settings file that the functions read too.
locals {
  settings = yamldecode(file(var.settings_file))
  teams    = local.settings.teams

  request_topics = distinct(flatten([for team in local.teams : team.topics]))
  command_topics = distinct(concat(
    try(local.settings.admin_command_topics, ["job-commands"]),
    flatten([for team in local.teams : try(team.command_topics, [])]),
  ))
  outcomes_topic = try(local.settings.outcomes_topic, "job-outcomes")
  sweeps_topic   = try(local.settings.sweeps_topic, "sweeps")

  # Where custom jobs run: each of these projects gets a log sink and our permissions.
  default_project = try(local.settings.project, var.project)
  vertex_projects = toset(concat([local.default_project], [
    for team in local.teams : coalesce(try(team.project, null), local.default_project)
  ]))
}
