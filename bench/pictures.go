package main

import (
	"fmt"
	"image"

	"github.com/spf13/cobra"

	"ovbench/datasets/picture"
)

// pictureFlags are the flags by which a command reads a picture.
type pictureFlags struct{ applyEXIF bool }

func (f *pictureFlags) addPictures(c *cobra.Command) {
	c.Flags().BoolVar(&f.applyEXIF, "apply-exif", false,
		"turn a JPEG as its EXIF orientation asks viewers to (default: pixels as stored, as annotations see them)")
}

// readPicture reads a picture as it is stored, or upright if that is asked for. It says which pictures lie on their
// side.
func (f *pictureFlags) readPicture(c *cobra.Command, file string) (*image.NRGBA, error) {
	if f.applyEXIF {
		return picture.Read(file, picture.Upright)
	}
	if o := picture.EXIF(file); o != 1 {
		fmt.Fprintf(c.ErrOrStderr(),
			"ovbench: warning: %s is read as stored, though viewers turn it (EXIF orientation %d); --apply-exif turns it\n",
			file, o)
	}
	return picture.Read(file, picture.AsStored)
}
