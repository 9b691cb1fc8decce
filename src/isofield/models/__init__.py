"""Networks of generators and their critics, written from the papers: StyleGAN2, EG3D, GeoGen."""
