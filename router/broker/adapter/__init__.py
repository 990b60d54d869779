"""What aiokafka does not offer in public: requests of our own, and its private parts."""
