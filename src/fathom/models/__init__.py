"""Networks, each written once against a layer library `nn`: torch's, or the one from scratch."""
