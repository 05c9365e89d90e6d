package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"ovbench/bench/engine"
	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/onnx"
	"ovbench/runners/vit"
)

func exportCommand() *cobra.Command {
	var (
		f              modelFlags
		size           sizeFlag
		names          []string
		positions, out string
		standard, sims bool
		text           bool
	)
	c := &cobra.Command{
		Use:   "export",
		Short: "Write a self-contained ONNX model of one or more methods",
		Long: `Write an ONNX model with one output of projected tokens [batch, 1+N, E] per method, the global token first, for an
input pixels [batch, 3, H, W]: a resized picture's own values in 0..255, R, G, B, as float32. Weights of more than 1 GiB go to a .data file beside it. Attention and QuickGELU use
ONNX Runtime's own operators (domain com.microsoft) unless --standard-ops is given.`,
		Example: "  ovbench export --model openai/clip-vit-base-patch16 --method clip --method clip_surgery --size 512 " +
			"--out surgery.onnx",
		Args: arguments(0, 0),
	}
	f.add(c)
	c.Flags().StringSliceVar(&names, "method", nil,
		"`methods`, repeated or separated by commas, with parameters as in naclip:attn=kk:sigma=3 (default clip_surgery)")
	c.Flags().Var(&size, "size", "network input in pixels (default: the model's own)")
	c.Flags().StringVar(&positions, "positions", "reference",
		"positional interpolation: bilinear, bicubic, bicubic-size, bicubic-antialias, or reference for the method's own")
	c.Flags().BoolVar(&standard, "standard-ops", false, "use operators of the ONNX standard only")
	c.Flags().BoolVar(&sims, "similarities", false,
		"take normalised texts [texts, E] as second input and give cosines [batch, 1+N, texts]")
	c.Flags().BoolVar(&text, "print", false, "print the graph to standard output")
	c.Flags().StringVar(&out, "out", "", ".onnx `file` to write")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if out != "" || !text {
			if err := checkFile(c, out, ".onnx"); err != nil {
				return err
			}
		}
		p, err := vit.ParseInterpolation(positions)
		if err != nil {
			return usageError{err, c.CommandPath()}
		}
		if len(names) == 0 {
			names = []string{"clip_surgery"}
		}
		named, err := namedMethods(names...)
		if err != nil {
			return usageError{err, c.CommandPath()}
		}
		m, err := f.openBy(c, engine.OpenImageModel)
		if err != nil {
			return err
		}
		h, w := size.or(m.Image)
		towers, err := f.openBackbones(c, named)
		if err != nil {
			return err
		}
		o := runners.ImageOptions{Height: h, Width: w, Positions: p, Similarities: sims, StandardOps: standard,
			Backbones: towers}
		g, alone, err := shared(m.Model, named, o)
		if err != nil {
			return err
		}
		if len(named) > 1 {
			fmt.Fprintf(c.ErrOrStderr(), "%d methods take %d nodes together, %d one by one\n", len(named), g.Nodes(), alone)
		}
		if text {
			fmt.Fprint(c.OutOrStdout(), g)
		}
		if out == "" {
			return nil
		}
		files, err := g.Export(out)
		for _, file := range files {
			fmt.Fprintln(c.ErrOrStderr(), "wrote", file)
		}
		return err
	}
	return c
}

// shared is the graph of several methods, and the nodes that one graph for each would have.
func shared(m *clip.Model, methods []runners.Named, o runners.ImageOptions) (g *onnx.Graph, alone int, err error) {
	for _, one := range methods {
		if g, err = runners.ImageGraph(m, []runners.Named{one}, o); err != nil {
			return nil, 0, err
		}
		alone += g.Nodes()
	}
	if g, err = runners.ImageGraph(m, methods, o); err != nil {
		return nil, 0, err
	}
	return g, alone, nil
}
