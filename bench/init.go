package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ovbench/datasets"
)

func initCommand() *cobra.Command {
	var out, model string
	c := &cobra.Command{
		Use:   "init FOLDER",
		Short: "Write a suite for a folder of pictures",
		Long: `Look at a folder of pictures and label maps, and write a suite that measures them: which folders hold what, where
the classes stand, and which values the label maps store, are found out and said. Look the suite over before a run.

FOLDER holds pictures in images/ (or imgs, JPEGImages, …), label maps of the same names in labels/ (or masks, annotations, …)
and one class a line in classes.txt, or a table of colours: labelmap.txt of CVAT, class_dict.csv.`,
		Example: "  ovbench init pictures --out mine.yaml",
		Args:    arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				out = filepath.Join(args[0], "suite.yaml")
			}
			s, err := datasets.NewSurvey(args[0])
			if err != nil {
				return err
			}
			text, err := suiteText(s, args[0], out, model)
			if err != nil {
				return err
			}
			f, err := os.OpenFile(out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%s is there already; name another file with --out", out)
			}
			if err != nil {
				return err
			}
			_, err = f.WriteString(text)
			if err = errors.Join(err, f.Close()); err != nil {
				return errors.Join(err, os.Remove(out)) // half a suite is in the way of the next
			}
			for _, line := range s.Found {
				fmt.Fprintln(c.OutOrStdout(), line)
			}
			fmt.Fprintf(c.OutOrStdout(), "\n%s is written; next: ovbench check %[1]s\n", out)
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "", "suite `file` to write (default: suite.yaml in FOLDER)")
	c.Flags().StringVar(&model, "model", "demo", "`model` of the suite, such as openai/clip-vit-base-patch16")
	return c
}

// suiteText is the suite of a survey, with a comment on every line that somebody may want to change.
func suiteText(s *datasets.Survey, folder, out, model string) (string, error) {
	root, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	if to, err := filepath.Abs(filepath.Dir(out)); err == nil {
		if rel, err := filepath.Rel(to, root); err == nil {
			root = filepath.ToSlash(rel)
		}
	}
	var b strings.Builder
	line := func(text, comment string) {
		fmt.Fprintf(&b, "%-44s # %s\n", text, comment)
	}
	for _, found := range s.Found {
		fmt.Fprintf(&b, "# %s\n", strings.ReplaceAll(found, "\n", " "))
	}
	line(fmt.Sprintf("title: %q", filepath.Base(filepath.Clean(folder))), "one line for people")
	line("model: "+quoted(model), "a Hugging Face name or directory, .safetensors, .pt (ovbench list models)")
	b.WriteString("datasets:\n  - name: folder\n")
	line("    root: "+quoted(root), "from the folder of this file")
	line("    images: "+quoted(s.Folder.Images), "pictures, with sub-folders or without")
	line("    labels: "+quoted(s.Folder.Labels), "label maps of the same names")
	line("    classes: "+quoted(s.Folder.Classes), "one a line; \"sofa | couch\" are two texts for one")
	option := func(on bool, text, comment string) {
		if !on {
			text = "# " + text
		}
		line("    "+text, comment)
	}
	option(s.Folder.ReduceZero, "reduce_zero_label: true", "stored 0 does not count, stored k is class k-1")
	option(s.Folder.Ignore != 0, fmt.Sprintf("ignore: %d", cmp.Or(s.Folder.Ignore, 255)),
		"the stored value that does not count; 255 unless written")
	option(s.Folder.Background, "background: true", "class 0 is everything else")
	option(false, "apply_exif: true", "turn pictures as their EXIF says; labels were drawn on turned ones")
	line("methods: [clip, clip_surgery]", "ovbench list methods")
	line("protocol: clip-surgery", "resize, prompts, thresholds (ovbench list protocols)")
	return b.String(), nil
}

// quoted is a YAML scalar.
func quoted(text string) string {
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./") == "" &&
		strings.Trim(text, "-.0123456789") != "" {
		return text
	}
	return fmt.Sprintf("%q", text)
}
