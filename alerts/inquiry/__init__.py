"""Why a rule told nobody: computed with the engine over what was stored."""
