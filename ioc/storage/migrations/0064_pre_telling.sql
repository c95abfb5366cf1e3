-- That an alert flaps is a fact of it, told once when it begins and once when it ends.

ALTER TABLE alert ADD COLUMN flapping boolean NOT NULL DEFAULT false;
ALTER TABLE alert ADD COLUMN flip_count integer NOT NULL DEFAULT 0;

-- What the last notification said of it, beside the severity.
ALTER TABLE notification_member ADD COLUMN told_flapping boolean NOT NULL DEFAULT false;

-- Whether somebody had taken note of it, or set it aside, when its ladder was looked at last.
ALTER TABLE escalation ADD COLUMN is_paused boolean NOT NULL DEFAULT false;

-- The kind of event that the rule looks at: routes ask for it. Alerts from before have none.
ALTER TABLE alert ADD COLUMN kind text NOT NULL DEFAULT '';

-- Of those that the departments know: the ones that are to be told anew, because they were held or became more severe.
ALTER TABLE notification_group ADD COLUMN told_renewed uuid[] NOT NULL DEFAULT '{}';
