"""EC2: instances as processes, volumes with bytes, images, launch templates, capacity."""
