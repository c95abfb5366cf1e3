-- What happened to an alert only grows: the database itself refuses to change or remove an entry.

CREATE FUNCTION refuse_change_of_journal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the journal of alerts is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER alert_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON alert_event
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_journal();
