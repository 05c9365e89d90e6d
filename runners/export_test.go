package runners

// Hold bounds what the backward passes of one run may hold, for tests.
func (r *Images) Hold(bytes int) { r.holds = bytes }
