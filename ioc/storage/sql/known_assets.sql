-- Statements of known_assets.py.

-- name: is_heard_of
SELECT EXISTS (SELECT FROM latest WHERE kind = ANY(%(kinds)s) AND asset_id = %(asset_id)s)
    OR EXISTS (SELECT FROM alert WHERE asset_id = %(asset_id)s)

-- name: list_kinds
SELECT kind FROM latest WHERE kind = ANY(%(kinds)s) AND asset_id = %(asset_id)s

-- name: list_heard
SELECT DISTINCT asset_id FROM latest WHERE kind = ANY(%(kinds)s) ORDER BY asset_id LIMIT %(limit)s
