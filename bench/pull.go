package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"ovbench/runners/hub"
)

func pullCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pull MODEL",
		Short: "Download a model",
		Long: `Download a model of the Hugging Face hub (weights, configuration, vocabulary) into the hub's cache, where Python's
packages find it too, one of OpenAI's (RN50, ViT-B/16 …) into ~/.cache/clip, or a file of torch.hub
(dino_vitbase8_pretrain.pth, sam_vit_b_01ec64.pth …) into ~/.cache/torch. Every file is checked against its checksum,
but those of DINO and DINOv2 of torch.hub: none is known of them, and the SHA-256 of what arrived is said. What is there
already is not fetched again, and an interrupted download goes on. Prints where the model lies. TORCH_HOME, HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are heeded.

Models of other kinds than CLIP are read where ovbench list models says so. Weights have licences of their own.`,
		Example: "  ovbench pull openai/clip-vit-base-patch16\n  ovbench pull laion/CLIP-ViT-B-16-laion2B-s34B-b88K@main\n " +
			" ovbench pull RN50",
		Args: arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			bar := newProgress(c.ErrOrStderr())
			defer bar.finish()
			file := ""
			p := hub.Puller{Progress: func(name string, done, total int64) {
				if name != file {
					file = name
					bar.StartBytes(name, total)
				}
				bar.At64(done)
			}}
			p.Unchecked = func(file, sum string) {
				bar.finish()
				fmt.Fprintf(c.ErrOrStderr(), "ovbench: warning: no checksum of %s is known: what lies there has SHA-256 %s\n",
					file, sum)
			}
			path, err := p.Pull(c.Context(), args[0])
			if err != nil {
				return err
			}
			bar.finish()
			fmt.Fprintln(c.OutOrStdout(), path)
			return nil
		},
	}
}
