package main

import (
	"fmt"
	"os"
	"runtime"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ovbench/bench/engine"
	"ovbench/runners/hub"
	"ovbench/runners/ort"
)

func setupCommand() *cobra.Command {
	var (
		device ort.Device
		from   string
	)
	c := &cobra.Command{
		Use:   "setup",
		Short: "Fetch ONNX Runtime into the user's cache",
		Long: `Fetch ONNX Runtime into the user's cache, unless one is there: a library named by ONNXRUNTIME_SHARED_LIBRARY_PATH, in the
cache, in a Python environment or on the system is used as it is. npm fetches the library for the CPU, pip the wheels of the
others, out of which only shared libraries are taken; every file is checked by its sha256.`,
		Example: `  ovbench setup
  ovbench setup --device openvino
  ovbench setup --device openvino --from wheels/`,
		Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			path, err := ort.SetupFor(c.Context(), device.Provider, from, c.ErrOrStderr())
			if err == nil {
				fmt.Fprintln(c.OutOrStdout(), path)
			}
			return err
		},
	}
	c.Flags().TextVar(&device, "device", ort.Device{}, "the `device` to compute on: cpu, openvino, cuda")
	c.Flags().StringVar(&from, "from", "", "a `package` that is here already, or a folder of wheels, in place of fetching")
	return c
}

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what works here and what to do about the rest",
		Args:  arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			table := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			err := doctor(table)
			if e := table.Flush(); e != nil {
				return e
			}
			return err
		},
	}
}

// doctor writes what it finds, tab-separated, and returns what keeps ovbench from working.
func doctor(w *tabwriter.Writer) error {
	tool, host := engine.Tool(), engine.Host()
	fmt.Fprintf(w, "ovbench\t%s %s (%s, %s/%s)\n", tool.Version, tool.Revision, tool.Go, tool.OS, tool.Arch)
	fmt.Fprintf(w, "machine\t%s, %d cores, %.1f GiB\n", host.CPU, host.Cores, float64(host.MemoryBytes)/(1<<30))
	for _, c := range ort.Candidates(ort.CPU) {
		state := "usable"
		if c.Err != nil {
			state = c.Err.Error()
		}
		fmt.Fprintf(w, "runtime\t%s (%s): %s\n", c.Path, c.Source, state)
	}
	lib, err := ort.Load("")
	if err != nil {
		fmt.Fprintf(w, "runtime\tNONE\n")
	} else {
		hash, hashErr := lib.SHA256()
		if hashErr != nil {
			return hashErr
		}
		fmt.Fprintf(w, "in use\tonnxruntime %s, sha256 %.16s…\n", lib.Version, hash)
	}
	for _, p := range []ort.Provider{ort.OpenVINO, ort.CUDA} {
		d := ort.Device{Provider: p}
		if c, err := ort.FindFor(p); err != nil {
			fmt.Fprintf(w, "device %v\tnot here: %v\n", d, err)
		} else {
			fmt.Fprintf(w, "device %v\t%s (%s, version %s)\n", d, c.Path, c.Source, c.Version)
		}
	}
	models := hub.Cached()
	if len(models) == 0 {
		fmt.Fprintf(w, "models\tnone in the caches; demo is built in, --model takes any path\n")
	}
	for _, m := range models {
		fmt.Fprintf(w, "model\t%s\n", m)
	}
	root := os.Getenv("OVBENCH_DATA")
	switch info, statErr := os.Stat(root); {
	case root == "":
		fmt.Fprintf(w, "data\tOVBENCH_DATA is not set; give --data, or a root in the suite\n")
	case statErr != nil || !info.IsDir():
		fmt.Fprintf(w, "data\tOVBENCH_DATA is %s, which is no folder\n", root)
	default:
		fmt.Fprintf(w, "data\tOVBENCH_DATA is %s\n", root)
		for _, line := range engine.FindData(root) {
			fmt.Fprintf(w, "data set\t%s\n", line)
		}
	}
	fmt.Fprintf(w, "threads\t%d\n", runtime.NumCPU())
	return err
}
