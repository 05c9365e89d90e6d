package tasks

// Progress is told how far the work is. Its methods are called from one goroutine at a time.
type Progress interface {
	// Start begins a stage of total steps; Start ends the stage before it.
	Start(stage string, total int)
	// At says how many steps are done.
	At(done int)
}
