package runners

// Hold bounds what the backward passes of one run may hold, for tests.
func (r *Images) Hold(bytes int) { r.holds = bytes }

// Waiting is how many passes wait for their turn, for tests.
func (r *Images) Waiting() int {
	r.lobby.mu.Lock()
	defer r.lobby.mu.Unlock()
	return len(r.lobby.waiting)
}
