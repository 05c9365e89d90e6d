package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"ovbench/datasets"
	"ovbench/datasets/labelmap"
	"ovbench/runners/resample"
	"ovbench/runners/tensor"
)

func shapesCommand() *cobra.Command {
	var (
		o        datasets.ShapesOptions
		layout   string
		out      string
		size     int
		captions int
	)
	c := &cobra.Command{
		Use:   "shapes",
		Short: "Write out pictures of the built-in data set shapes",
		Long: `Write pictures of shapes, the data set that is drawn from a seed, into an empty folder. The same flags give
the same bytes on every machine, and as many pictures as one asks for.

  voc        JPEGImages, SegmentationClass, SegmentationObject, ImageSets and classes.txt: the layout of PASCAL VOC,
             which suites read as data set folder
  captions   images and captions.jsonl: one line a picture with its captions, things and grounds
  npy        images.npy, uint8 [N, size, size, 3], resized as for the network, and captions.jsonl: what a
             training program reads

Splits are train, dev, val, and heldout, which has the pairs of colour and shape that the others lack.`,
		Example: "  ovbench shapes --out shapes --split val --images 100 --layout voc",
		Args:    arguments(0, 0),
	}
	c.Flags().StringVar(&o.Split, "split", "val", "train, dev, val or heldout")
	c.Flags().IntVar(&o.Images, "images", 0, "how `many` pictures (default: as many as the data set has)")
	c.Flags().Uint64Var(&o.Seed, "seed", datasets.DefaultShapesSeed, "another `seed` draws other pictures")
	c.Flags().BoolVar(&o.Pairs, "pairs", false, "classes are pairs such as red circle (data set shapes_pairs)")
	c.Flags().StringVar(&layout, "layout", "voc", "voc, captions or npy")
	c.Flags().IntVar(&size, "size", 96, "side of the pictures of layout npy")
	c.Flags().IntVar(&captions, "captions", 4, "captions a picture")
	c.Flags().StringVar(&out, "out", "", "`folder` to write")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if out == "" {
			return usagef(c.CommandPath(), "--out is missing: name the folder to write")
		}
		write, ok := map[string]func(*shapesWriter) error{"voc": writeVOC, "captions": writeCaptions,
			"npy": writeNPYPictures}[layout]
		if !ok {
			return usagef(c.CommandPath(), "--layout %q is not known; known are voc, captions, npy", layout)
		}
		if size < 1 || size > 4096 || captions < 1 || captions > 100 {
			return usagef(c.CommandPath(), "want --size from 1 to 4096 and --captions from 1 to 100")
		}
		ds, err := datasets.NewShapes(o)
		if err != nil {
			return usageError{err, c.CommandPath()}
		}
		if err := emptyFolder(out); err != nil {
			return err
		}
		bar := newProgress(c.ErrOrStderr())
		defer bar.finish()
		bar.Start("drawing", ds.Len())
		return write(&shapesWriter{ds: ds, out: out, size: size, captions: captions, context: c, bar: bar})
	}
	return c
}

// emptyFolder makes a folder, or accepts one with nothing in it.
func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s: the folder is not empty; name another one", dir)
	}
	return os.MkdirAll(dir, 0o777)
}

// shapesWriter is what all layouts share.
type shapesWriter struct {
	ds             *datasets.Shapes
	out            string
	size, captions int
	context        *cobra.Command
	bar            *progress
}

// each makes all samples, several at a time, and hands them over in order. What prepare makes of a sample is made in
// parallel.
func each[T any](w *shapesWriter, prepare func(i int, s datasets.Sample) (T, error), use func(i int, v T) error) error {
	const portion = 64
	for first := 0; first < w.ds.Len(); first += portion {
		if err := w.context.Context().Err(); err != nil {
			return err
		}
		made := make([]T, min(portion, w.ds.Len()-first))
		var g errgroup.Group
		g.SetLimit(runtime.GOMAXPROCS(0))
		for k := range made {
			g.Go(func() error {
				s, err := w.ds.At(first + k)
				if err != nil {
					return err
				}
				made[k], err = prepare(first+k, s)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for k, v := range made {
			if err := use(first+k, v); err != nil {
				return err
			}
		}
		w.bar.At(first + len(made))
	}
	return nil
}

// folders makes folders below out.
func (w *shapesWriter) folders(names ...string) error {
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(w.out, name), 0o777); err != nil {
			return err
		}
	}
	return nil
}

// file writes a file below out.
func (w *shapesWriter) file(name string, fill func(io.Writer) error) error {
	return writeFile(filepath.Join(w.out, filepath.FromSlash(name)), func(f io.Writer) error {
		b := bufio.NewWriterSize(f, 1<<16)
		if err := fill(b); err != nil {
			return err
		}
		return b.Flush()
	})
}

// texts writes captions.jsonl.
func (w *shapesWriter) texts() error {
	return w.file("captions.jsonl", func(f io.Writer) error {
		enc := json.NewEncoder(f)
		for i := range w.ds.Len() {
			if err := enc.Encode(w.ds.Text(i, w.captions)); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeVOC writes the layout of PASCAL VOC.
func writeVOC(w *shapesWriter) error {
	info := w.ds.Info()
	if err := w.folders("JPEGImages", "SegmentationClass", "SegmentationObject", "ImageSets/Segmentation"); err != nil {
		return err
	}
	var ids []string
	err := each(w, func(_ int, s datasets.Sample) (struct{}, error) {
		return struct{}{}, errors.Join(
			w.file("JPEGImages/"+s.ID+".jpg",
				func(f io.Writer) error { return jpeg.Encode(f, s.Image, &jpeg.Options{Quality: 95}) }),
			w.file("SegmentationClass/"+s.ID+".png", func(f io.Writer) error { return labelmap.Encode(f, s.Labels) }),
			w.file("SegmentationObject/"+s.ID+".png",
				func(f io.Writer) error { return labelmap.Encode(f, datasets.ObjectMap(s)) }),
		)
	}, func(i int, _ struct{}) error { ids = append(ids, w.ds.ID(i)); return nil })
	if err != nil {
		return err
	}
	lines := func(list []string) func(io.Writer) error {
		return func(f io.Writer) error { _, err := io.WriteString(f, strings.Join(list, "\n")+"\n"); return err }
	}
	if err := w.file("classes.txt", lines(info.Classes)); err != nil {
		return err
	}
	return w.file("ImageSets/Segmentation/"+info.Split+".txt", lines(ids))
}

// writeCaptions writes pictures as PNG beside their captions.
func writeCaptions(w *shapesWriter) error {
	if err := w.folders("images"); err != nil {
		return err
	}
	err := each(w, func(_ int, s datasets.Sample) (struct{}, error) {
		return struct{}{}, w.file("images/"+s.ID+".png", func(f io.Writer) error { return png.Encode(f, s.Image) })
	}, func(int, struct{}) error { return nil })
	if err != nil {
		return err
	}
	return w.texts()
}

// writeNPYPictures writes all pictures as one array, resized by the filter that preprocessing uses.
func writeNPYPictures(w *shapesWriter) error {
	err := w.file("images.npy", func(f io.Writer) error {
		return tensor.WriteNPYBytes(f, []int{w.ds.Len(), w.size, w.size, 3}, func(put func([]byte) error) error {
			return each(w, func(_ int, s datasets.Sample) ([]byte, error) {
				return resample.Pillow(resample.FromNRGBA(s.Image), w.size, w.size, resample.BicubicFilter).Pix, nil
			}, func(_ int, pix []byte) error { return put(pix) })
		})
	})
	if err != nil {
		return err
	}
	return w.texts()
}
