package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"ovbench/bench/engine"
	"ovbench/configs"
)

func expertsCommand() *cobra.Command {
	var (
		f      suiteFlags
		q      engine.ExpertSearch
		out    string
		resume bool
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "experts SUITE",
		Short: "Find the templates that know single classes best, without labels",
		Long: `Find class experts (FLOSS, arXiv 2504.10487): of each class the templates of the protocol by which a method's
predictions of it are surest, that is, have the least mean entropy over the pixels that the classifier of one template
gives to the class. Pictures of the suite's data sets are looked at, their labels are not; what the suite says of
experts does not count.

The file --out names the experts by data set, method and class, and what they were found with: another checkpoint, list
of templates, method or list of classes is refused. A suite that names it has pixels decided by them, beside the plain
reading where a data set stands twice:

  datasets: [voc20, {name: voc20, id: voc20-experts, experts: experts.yaml}]

Each class's expert reads the picture by its templates, averaged; it claims the pixels where its own class is the best
of all; the most probable claim has the pixel, and the average of all templates decides where nobody claims.
protocol.scale is the factor before the softmax. Data sets of the same classes and words may use experts of each other.

An interrupted search goes on with --resume; the file is the same.`,
		Example: `  ovbench experts voc20 --split train --limit 500 --data /data --out experts.yaml
  ovbench run voc20 --set protocol.experts=experts.yaml --data /data --out out/experts`,
		Args: arguments(1, 1),

		ValidArgsFunction: completeSuites,
	}
	f.add(c)
	c.Flags().StringVar(&out, "out", "", "`file` to write, .yaml")
	c.Flags().StringVar(&q.Split, "split", "", "`split` of all data sets (default: the suite's)")
	c.Flags().IntVar(&q.Top, "top", 4, "experts of a class: `N` templates")
	c.Flags().IntVar(&q.Every, "every", 4, "read entropies at every `N`th pixel of rows and columns; 1 for all")
	c.Flags().BoolVar(&resume, "resume", false, "continue an interrupted search")
	c.Flags().BoolVar(&asJSON, "json", false, "print what the file says as JSON")
	c.RunE = func(c *cobra.Command, names []string) error {
		switch {
		case !strings.HasSuffix(out, ".yaml") && !strings.HasSuffix(out, ".yml"):
			return usagef(c.CommandPath(), "--out %q: name a .yaml file to write", out)
		case q.Top < 1 || q.Top > 1000:
			return usagef(c.CommandPath(), "--top %d: want 1 to 1000", q.Top)
		case q.Every < 1 || q.Every > 64:
			return usagef(c.CommandPath(), "--every %d: want 1 to 64", q.Every)
		}
		suites, err := f.loadAll(c, names)
		if err != nil {
			return err
		}
		if len(suites) > 1 {
			return usagef(c.CommandPath(), "%s has several models: name one with --model", names[0])
		}
		if q.Request, err = f.request(c, suites[0].Suite); err != nil {
			return err
		}
		q.Out, q.Resume = out, resume
		bar := newProgress(c.ErrOrStderr())
		e, err := engine.FindExperts(c.Context(), q, bar)
		bar.finish()
		if err != nil {
			return err
		}
		fmt.Fprintf(c.ErrOrStderr(), "wrote %s; next: ovbench run %s --set protocol.experts=%s\n", out, names[0], out)
		if asJSON {
			raw, err := e.JSON()
			fmt.Fprintln(c.OutOrStdout(), string(raw))
			return err
		}
		return printFolded(c.OutOrStdout(), expertLines(e))
	}
	return c
}

// expertLines say how many classes have experts, and which have not.
func expertLines(e *configs.Experts) (lines []string) {
	for _, s := range e.Datasets {
		lines = append(lines, fmt.Sprintf("%s %s: %d pictures, %d classes", s.Name, s.Split, s.Pictures, len(s.Classes)))
		for _, m := range s.Methods {
			known := map[string]bool{}
			distinct := map[string]bool{}
			for _, c := range m.Classes {
				known[c.Class] = true
				for _, x := range c.Experts {
					distinct[x.Template] = true
				}
			}
			var none []string
			for _, c := range s.Classes {
				if !known[c.Name] {
					none = append(none, c.Name)
				}
			}
			line := fmt.Sprintf("  %s: %d classes have experts, of %d templates of %d", m, len(m.Classes), len(distinct),
				e.Templates.Count)
			if none != nil {
				line += "; never predicted: " + strings.Join(none, ", ")
			}
			lines = append(lines, line)
		}
	}
	return lines
}
