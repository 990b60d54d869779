"""System tests of the pages that explain how to extend payrouter."""
