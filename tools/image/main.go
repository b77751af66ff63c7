// Command image makes Herald's container images, its own and that of its catalog, without a container engine: an OCI image layout, which every engine and
// registry understands, from the checkout alone. It also looks into such a layout, unpacks it, and pushes it to a registry.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{Use: "image", Short: "Make Herald's container image, and handle it", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(buildCommand(), catalogCommand(), inspectCommand(), unpackCommand(), pushCommand())
	return root
}

func buildCommand() *cobra.Command {
	var m making
	build := &cobra.Command{
		Use:   "build",
		Short: "Build the image as an OCI layout, and the list of what is in it",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := m.release()
			if err != nil {
				return err
			}
			return build(c.Context(), m.checkout, r, m.layoutPath, m.sbomPath)
		},
	}
	m.define(build, "dist/image", "dist/sbom.cdx.json")
	return build
}

func catalogCommand() *cobra.Command {
	var (
		m    making
		from string
	)
	catalog := &cobra.Command{
		Use:   "catalog",
		Short: "Build the image that serves OLM a catalog as an OCI layout, and the list of what is in it",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := m.release()
			if err != nil {
				return err
			}
			return buildCatalog(c.Context(), m.checkout, r, from, platforms(), m.layoutPath, m.sbomPath)
		},
	}
	m.define(catalog, "dist/catalog-image", "dist/catalog-sbom.cdx.json")
	catalog.Flags().StringVar(&from, "configs", "dist/catalog", "directory of the file-based catalog")
	return catalog
}

// making is what every image is made by: a version, where its source is, and where the image goes.
type making struct {
	version, commit, date          string
	checkout, layoutPath, sbomPath string
}

// define adds the flags that say it to a command.
func (m *making) define(c *cobra.Command, layoutPath, sbomPath string) {
	flags := c.Flags()
	flags.StringVar(&m.checkout, "checkout", ".", "directory of the source")
	flags.StringVar(&m.version, "version", "", "version to build, such as v0.1.0")
	flags.StringVar(&m.commit, "commit", "", "commit that is built")
	flags.StringVar(&m.date, "date", "", "time of the commit, which is that of everything in the image")
	flags.StringVar(&m.layoutPath, "out", layoutPath, "directory for the layout; what is there is replaced")
	flags.StringVar(&m.sbomPath, "sbom", sbomPath, "file for the list of what is in the image, in CycloneDX")
	for _, name := range []string{"version", "commit", "date"} {
		_ = c.MarkFlagRequired(name) // The flag was defined above.
	}
}

// release returns the version to make.
func (m *making) release() (release, error) {
	date, err := time.Parse(time.RFC3339, m.date)
	if err != nil {
		return release{}, fmt.Errorf("--date %q: want the time of the commit, such as 2026-11-24T23:33:12Z", m.date)
	}
	r := release{m.version, m.commit, date}
	return r, r.validate()
}

func inspectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect LAYOUT",
		Short: "Say what an image is: its digest, user, entry point, labels and files, for each platform",
		Args:  cobra.ExactArgs(1),
		RunE:  func(c *cobra.Command, args []string) error { return inspect(args[0], c.OutOrStdout()) },
	}
}

func unpackCommand() *cobra.Command {
	var platform string
	unpack := &cobra.Command{
		Use:   "unpack LAYOUT DIRECTORY",
		Short: "Write an image's files below a directory, as a container's root",
		Args:  cobra.ExactArgs(2),
		RunE:  func(_ *cobra.Command, args []string) error { return unpack(args[0], args[1], platform) },
	}
	unpack.Flags().StringVar(&platform, "platform", "linux/"+runtime.GOARCH, "whose files, such as linux/arm64")
	return unpack
}

func pushCommand() *cobra.Command {
	var sbomPath string
	push := &cobra.Command{
		Use:   "push LAYOUT REFERENCE",
		Short: "Push an image to a registry, as the user who is logged in there (docker login)",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			digest, err := push(args[0], args[1], sbomPath, remote.WithContext(c.Context()), remote.WithAuthFromKeychain(authn.DefaultKeychain))
			if err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), digest)
			return nil
		},
	}
	push.Flags().StringVar(&sbomPath, "sbom", "", "file with the list of what is in the image, attached to it in the registry")
	return push
}
