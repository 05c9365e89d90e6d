package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"

	"ovbench/reports/results"
)

// startProfile notes in dir what the program's cores do from now on, until stop is called, which notes what is in
// memory then.
func startProfile(dir string) (stop func() error, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(dir, "cpu.pprof"))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		err := f.Close()
		heap, e := os.Create(filepath.Join(dir, "heap.pprof"))
		if e != nil {
			return errors.Join(err, e)
		}
		runtime.GC() // what is still in use, as of now
		return errors.Join(err, pprof.WriteHeapProfile(heap), heap.Close())
	}, nil
}

// spent says where a run's time went.
func spent(r *results.Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%.1f s, %.0f %% of %d cores busy; by stage, of all workers together:\n", r.Timing.Wall,
		100*r.Utilisation(), r.Host.Cores)
	for _, stage := range r.Timing.Stages() {
		fmt.Fprintf(&b, "  %-10s %8.2f s\n", stage, r.Timing.Seconds[stage])
	}
	return b.String()
}
