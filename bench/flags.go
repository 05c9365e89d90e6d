package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"ovbench/bench/cluster"
	"ovbench/bench/engine"
	"ovbench/runners"
	"ovbench/runners/methods"
	"ovbench/runners/ort"
	"ovbench/runners/vit"
)

// modelFlags are the flags by which a command finds a model and runs it.
type modelFlags struct {
	model, vocab, activation, runtime string
	threads                           int
	mmap                              bool
	device                            ort.Device
	precision                         ort.Precision
	backbones                         []string
}

func (f *modelFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.model, "model", "",
		"`model`: Hugging Face directory, name in its cache, .safetensors, .pt, or demo")
	c.Flags().StringVar(&f.vocab, "vocab", "",
		"vocab.json + merges.txt `directory`, or bpe_simple_vocab_16e6.txt.gz, if the checkpoint brings none")
	c.Flags().StringVar(&f.activation, "activation", "",
		"quick_gelu or gelu, where the checkpoint does not say (LAION and DataComp: gelu)")
	c.Flags().StringVar(&f.runtime, "runtime", "",
		"ONNX Runtime `library` (default: ONNXRUNTIME_SHARED_LIBRARY_PATH, then what is found)")
	c.Flags().IntVar(&f.threads, "threads", 0, "`N` threads of the network (default: all cores)")
	c.Flags().TextVar(&f.device, "device", ort.Device{}, "the `device` of the network: cpu, openvino, cuda, cuda:N")
	c.Flags().TextVar(&f.precision, "precision", ort.F32, "`type` of products: f32, bf16 or f16, as the device has it")
	c.Flags().StringArrayVar(&f.backbones, "backbone", nil,
		"`name=path` of a further network that a method asks for, such as dino=facebook/dino-vitb8; repeat for more")
	c.Flags().BoolVar(&f.mmap, "mmap", false,
		"map weights instead of packing them: slower, but shared by all processes of a host")
}

func (f *modelFlags) options() engine.ModelOptions {
	return engine.ModelOptions{Name: f.model, Vocabulary: f.vocab, Activation: vit.Activation(f.activation)}
}

func (f *modelFlags) session() ort.Options {
	return ort.Options{Threads: f.threads, Mmap: f.mmap, Device: f.device, Precision: f.precision}
}

// namedBackbones are the paths of further networks by the names that methods ask with.
func (f *modelFlags) namedBackbones(c *cobra.Command) (map[string]string, error) {
	out := map[string]string{}
	for _, s := range f.backbones {
		name, path, ok := strings.Cut(s, "=")
		if _, twice := out[name]; !ok || name == "" || path == "" || twice {
			return nil, usagef(c.CommandPath(),
				"--backbone %q: want NAME=PATH, each name once, such as dino=facebook/dino-vitb8", s)
		}
		out[name] = path
	}
	return out, nil
}

// openBackbones opens further networks for methods, all of which must read one of them.
func (f *modelFlags) openBackbones(c *cobra.Command, named []runners.Named) (map[string]methods.Backbone, error) {
	paths, err := f.namedBackbones(c)
	if err != nil {
		return nil, err
	}
	list, err := engine.OpenBackbones(paths)
	if err != nil {
		return nil, fmt.Errorf("--%w", err)
	}
	var ms []methods.Method
	for _, n := range named {
		if n.Method.Traits().Regions {
			return nil, fmt.Errorf("method %s reads masks of regions, which only suites name (regions: in a data set); "+
				"without masks it is corrclip:regions=false", n.Name)
		}
		ms = append(ms, n.Method)
	}
	for _, b := range list {
		for _, a := range b.Assumed {
			fmt.Fprintf(c.ErrOrStderr(), "ovbench: warning: backbone %s: assumed %s\n", b.Role, a)
		}
	}
	return engine.Towers(list), engine.CheckUnneeded(list, ms)
}

// openModel is the model alone.
func (f *modelFlags) openModel(c *cobra.Command) (*engine.Model, error) {
	return f.openBy(c, engine.OpenModel)
}

// openBy is the model, opened with its vocabulary or without.
func (f *modelFlags) openBy(c *cobra.Command, open func(engine.ModelOptions) (*engine.Model, error)) (*engine.Model,
	error) {
	if f.model == "" {
		return nil, usagef(c.CommandPath(), "--model is missing: name a checkpoint, or demo (ovbench list models)")
	}
	m, err := open(f.options())
	if err != nil {
		return nil, err
	}
	for _, w := range m.Assumed {
		fmt.Fprintln(c.ErrOrStderr(), "ovbench: warning: assumed "+w)
	}
	return m, nil
}

// open is the model and the library, for commands that compute.
func (f *modelFlags) open(c *cobra.Command) (*engine.Model, *ort.Library, error) {
	return f.openWith(c, engine.OpenModel)
}

func (f *modelFlags) openWith(c *cobra.Command, open func(engine.ModelOptions) (*engine.Model, error)) (*engine.Model,
	*ort.Library, error) {
	if err := ort.CheckDevice(f.device, f.precision); err != nil {
		return nil, nil, usageError{err, c.CommandPath()}
	}
	if f.threads < 0 || f.threads > 4096 {
		return nil, nil, usagef(c.CommandPath(), "--threads %d: want 0 for all cores, or 1 to 4096", f.threads)
	}
	m, err := f.openBy(c, open)
	if err != nil {
		return nil, nil, err
	}
	lib, err := ort.LoadFor(f.runtime, f.device.Provider)
	return m, lib, err
}

// sizeFlag is --size N or HxW. Zero is unset.
type sizeFlag struct{ h, w int }

func (s *sizeFlag) String() string {
	switch {
	case s.h == 0:
		return ""
	case s.h == s.w:
		return strconv.Itoa(s.h)
	}
	return fmt.Sprintf("%dx%d", s.h, s.w)
}

func (s *sizeFlag) Type() string { return "N|HxW" }

func (s *sizeFlag) Set(v string) error {
	hs, ws, oblong := strings.Cut(strings.ToLower(v), "x")
	if !oblong {
		ws = hs
	}
	h, err1 := strconv.Atoi(hs)
	w, err2 := strconv.Atoi(ws)
	if err1 != nil || err2 != nil || h < 1 || w < 1 {
		return fmt.Errorf("want a number of pixels, or HEIGHTxWIDTH")
	}
	s.h, s.w = h, w
	return nil
}

// or is the size, or side x side where none was given.
func (s *sizeFlag) or(side int) (h, w int) {
	if s.h == 0 {
		return side, side
	}
	return s.h, s.w
}

// shardFlag is --shard i/n, or auto/n.
type shardFlag struct {
	engine.Shard
	auto bool // i is the scheduler's to say
}

func (s *shardFlag) Type() string { return "i/n" }

func (s *shardFlag) Set(v string) error {
	if v == "auto" {
		return fmt.Errorf("the number of parts is missing, which no scheduler says reliably: write auto/N")
	}
	a, b, ok := strings.Cut(v, "/")
	n, err := strconv.Atoi(b)
	if !ok || err != nil || n < 1 || n > cluster.MaxParts {
		return fmt.Errorf("want i/n with i from 1 to n, such as 2/8, or auto/8")
	}
	s.Count, s.auto = n, a == "auto"
	if s.auto {
		return nil
	}
	if s.Index, err = strconv.Atoi(a); err != nil || s.Index < 1 || s.Index > n {
		return fmt.Errorf("want i/n with i from 1 to n, such as 2/8, or auto/8")
	}
	return nil
}

// resolve asks the scheduler for the part, and says on w which it is.
func (s *shardFlag) resolve(w io.Writer) (err error) {
	if !s.auto {
		return nil
	}
	var variable string
	if s.Index, variable, err = cluster.Part(s.Count, os.Getenv); err != nil {
		return fmt.Errorf("--shard auto/%d: %w", s.Count, err)
	}
	fmt.Fprintf(w, "ovbench: shard %d of %d (%s=%s)\n", s.Index, s.Count, variable, os.Getenv(variable))
	return nil
}
