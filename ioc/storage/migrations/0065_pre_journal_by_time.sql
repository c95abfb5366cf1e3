-- Reports read the journal of a period: without this, each looks at every entry that there ever was.

CREATE INDEX alert_event_by_time ON alert_event (at, event_id);
